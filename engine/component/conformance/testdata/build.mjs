// Makes the components of this folder; what it makes is committed.
//
//     npm install --prefix ../../../../samples   # once: jco
//     node build.mjs
//
// The texts in values come from values.mjs, those in calls from calls.mjs; the others are written by
// hand. What is in C needs clang and wasm-ld.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import calls from './calls.mjs';
import values from './values.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, '../../../../samples/package.json'));
const jco = await import(require.resolve('@bytecodealliance/jco'));

// What is wrong, as hosts of this repository say it.
const words = {
	CHAR: 'is not a char', CASE: 'case', BOUNDS: 'not in the memory', LONG: 'bytes, more than', ALIGN: 'not aligned', UTF8: 'UTF-8', UTF16: 'UTF-16',
};
const spoken = (text) => text.replace(/^;; traps: ([A-Z0-9]+)$/m, (_, w) => `;; traps: ${words[w]}`);

for (const [folder, all] of Object.entries({ values, calls })) {
	rmSync(join(here, folder), { recursive: true, force: true });
	mkdirSync(join(here, folder));
	for (const [name, text] of all) writeFileSync(join(here, folder, `${name}.wat`), spoken(text));
}

for (const folder of readdirSync(here, { withFileTypes: true }).filter((d) => d.isDirectory()))
	for (const file of readdirSync(join(here, folder.name)).filter((f) => f.endsWith('.wat'))) {
		const path = join(here, folder.name, file);
		try {
			writeFileSync(path.replace(/wat$/, 'wasm'), await jco.parse(readFileSync(path, 'utf8')));
		} catch (e) {
			console.error(`${folder.name}/${file}: ${e.payload ?? e}`);
			process.exitCode = 1;
		}
	}
