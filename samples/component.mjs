// Puts a core module into the envelope of a component of the world wasi:http/proxy:
//
//     node component.mjs CORE.wasm COMPONENT.wasm
//
// It needs the package jco, which `npm install` puts into this folder.
import { readFile, writeFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import { interfaces } from './wit.mjs';

const [core, out] = process.argv.slice(2);
const witSource = `package realm:sample;\nworld http { include wasi:http/proxy@0.2.12; }\n${await interfaces()}`;
const embedded = await componentEmbed({ binary: await readFile(core), witSource, world: 'http' });
await writeFile(out, await componentNew(embedded, []));
