"""What both languages of Elasticsearch share: EQL and Lucene."""
