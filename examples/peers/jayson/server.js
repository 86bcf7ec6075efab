// A custom destination in the shape of Hightouch's published examples, which use jayson: what the
// methods read, and what they leave to chance, is as there. The vendor is a map in memory.
const jayson = require('jayson/promise');

const contacts = new Map();

const vendor = {
  async put(email, contact) {
    if (!email.includes('@')) throw new Error(`${email} is not an address`);
    contacts.set(email.toLowerCase(), contact);
  },
};

const methods = {
  list_objects: async () => ({ objects: null }),

  list_modes: async ({ object }) => ({
    modes: [{ id: 'upsert', label: 'Upsert', description: 'Adds contacts, and updates them.' }],
  }),

  list_fields: async ({ object, mode }) => ({
    fields: [
      { id: 'email', label: 'Email address', type: 'STRING', identifier: true },
      { id: 'first_name', label: 'First name', type: 'STRING' },
      { id: 'last_name', label: 'Last name', type: 'STRING' },
    ],
  }),

  list_options: async ({ object }) => ({ options: null }),

  validate: async ({ configuration }) => ({ errors: [] }),

  behavior: async ({ configuration }) => ({
    batchSize: 100,
    operations: { add: true, change: true, remove: false },
    skipInitialRun: false,
  }),

  add: async ({ idColumn, configuration, rows }) => upsert(configuration, rows),

  change: async ({ idColumn, configuration, rows }) => upsert(configuration, rows),

  remove: async () => null,
};

async function upsert(configuration, rows) {
  for (const row of rows) {
    const contact = {};
    for (const mapping of configuration.mappings) contact[mapping.to] = row[mapping.from];
    await vendor.put(row[configuration.identifierMapping.from], contact);
  }
  return { rejectedRows: [] };
}

const server = new jayson.Server(methods).http();
server.listen(Number(process.env.PORT ?? 8101), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
