// Answers one JSON request per line, {"query": text, "tables": {name: "(column: type, ...)"}}, with one
// line: the list of the analyser's errors. Argument: the folder of @kusto/language-service-next.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const vm = require("vm");

for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(process.argv[2], file), "utf8"), { filename: file });
}
const { GlobalState, KustoCode, Symbols } = Kusto.Language;
const globals = new Map();

function stateOf(tables) {
  const key = JSON.stringify(tables);
  if (!globals.has(key)) {
    const symbols = Object.entries(tables).map(([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, null));
    globals.set(key, GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("db", symbols)));
  }
  return globals.get(key);
}

function errorsOf({ query, tables }) {
  const found = KustoCode.ParseAndAnalyze(query, stateOf(tables)).GetDiagnostics();
  const errors = [];
  for (let i = 0; i < found.Count; i++) {
    const { Code, Severity, Message, Start } = found.getItem(i);
    if (Severity === "Error") {
      const before = query.slice(0, Start).split("\n");
      errors.push(`${before.length}:${before[before.length - 1].length + 1}: ${Code} ${Message}`);
    }
  }
  return errors;
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  let answer;
  try {
    answer = errorsOf(JSON.parse(line));
  } catch (error) {
    answer = [`the analyser failed: ${error}`];
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
