// Puts a core module into the envelope of a component of the world wasi:http/proxy:
//
//     node component.mjs CORE.wasm COMPONENT.wasm
//
// It needs the package jco, which `npm ci` puts into this folder.
import { readFile, writeFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';

const [core, out] = process.argv.slice(2);

// The interfaces come with jco, a file for each package; one text may hold many.
async function interfaces(version) {
	const entry = createRequire(import.meta.url).resolve('@bytecodealliance/jco');
	const folder = join(dirname(entry), '..', 'lib', 'wit', 'builtin', version);
	const names = (await readdir(folder)).sort();
	const texts = await Promise.all(names.map((n) => readFile(join(folder, n, 'package.wit'), 'utf8')));
	return texts.map((t) => t.replace(/^package ([^;]+);([\s\S]*)$/m, 'package $1 {$2}')).join('\n');
}

const witSource = `package realm:sample;\nworld http { include wasi:http/proxy@0.2.12; }\n${await interfaces('0.2.12')}`;
const embedded = await componentEmbed({ binary: await readFile(core), witSource, world: 'http' });
await writeFile(out, await componentNew(embedded, []));
