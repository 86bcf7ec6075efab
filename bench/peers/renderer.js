// Messages rendered as the published example does: parsed and rendered anew for every row.
//
// For each line on its standard input, with a `template`, `rows` and `times`, it renders the rows so
// many times and prints what that took.

const { createInterface } = require('node:readline');
const { Liquid } = require('liquidjs');

const engine = new Liquid();

async function rendered({ template, rows, times }) {
  let characters = 0;
  const began = performance.now();
  for (let turn = 0; turn < times; turn++) {
    for (const row of rows) characters += (await engine.parseAndRender(template, row)).length;
  }
  return { seconds: (performance.now() - began) / 1000, characters };
}

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await rendered(JSON.parse(line))));
  }
})();
