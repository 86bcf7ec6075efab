// A custom destination as people write it with jayson: `node server.js WAY VENDOR` prints its port.
//
// Rows are mapped as the configuration says. "sequential" posts one after another, like the
// published examples; "concurrent" keeps a hundred posts under way; "accepting" posts nothing.

const jayson = require('jayson/promise');

const CONCURRENCY = 100;
const [way, vendor] = process.argv.slice(2);

function record(operation, idColumn, configuration, row) {
  const fields = {};
  for (const { from, to } of configuration.identifierMapping) fields[to] = row[from];
  for (const { from, to } of configuration.mappings) fields[to] = row[from];
  return { operation, id: row[idColumn], fields };
}

async function post(body) {
  const response = await fetch(`${vendor}/rows`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer(); // a connection is kept once its answer was read
  if (!response.ok) throw new Error(`the vendor answered ${response.status}`);
}

const ways = {
  async sequential(records, reject) {
    for (const each of records) await post(each).catch(error => reject(each, error));
  },
  async concurrent(records, reject) {
    const left = records.values();
    const work = async () => {
      for (const each of left) await post(each).catch(error => reject(each, error));
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  },
  async accepting() {},
};

async function add({ idColumn, configuration, rows }) {
  const rejectedRows = [];
  const records = rows.map(row => record('add', idColumn, configuration, row));
  await ways[way](records, (each, error) => {
    rejectedRows.push({ id: each.id, reason: error.message });
  });
  return { rejectedRows };
}

const server = new jayson.Server({ add }).http();
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on('end', () => process.exit());
