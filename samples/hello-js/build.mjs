// Makes build/hello-js.wasm, or the file that is named, of main.js: see README.md.
import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';
import { interfaces } from '../wit.mjs';

const source = new URL('main.js', import.meta.url);
const out = process.argv[2] ?? new URL('../build/hello-js.wasm', import.meta.url);
const witWorld = `package realm:sample;\nworld http { include wasi:http/proxy@0.2.10; }\n${await interfaces('0.2.10')}`;
const { component } = await componentize(await readFile(source, 'utf8'), { witWorld, worldName: 'http' });
await writeFile(out, component);
