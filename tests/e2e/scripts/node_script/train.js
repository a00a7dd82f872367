// parseArgs of Node.js.
const fs = require('fs');
const { parseArgs } = require('util');
const options = { 'out-dir': { type: 'string' }, lr: { type: 'string' }, fast: { type: 'boolean' } };
const args = process.argv.slice(2).filter((word) => word !== '--no-fast');
const { values } = parseArgs({ args, options });
fs.mkdirSync(values['out-dir']);
fs.writeFileSync(`${values['out-dir']}/summary.txt`, `got_lr ${Number(values.lr)}\ngot_fast ${!!values.fast}\nfinished 1\n`);
