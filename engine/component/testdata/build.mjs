// Builds the components of this folder from their sources; what it makes is committed.
//
//     npm ci --prefix ../../../samples   # once: jco
//     node build.mjs [NAME]...
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'components-'));
const require = createRequire(join(here, '../../../samples/package.json'));
const jcoFile = require.resolve('@bytecodealliance/jco');
const jco = await import(jcoFile);

// The interfaces of WASI come with jco, a file for each package; one text may hold many.
function interfaces(version) {
	const folder = join(dirname(jcoFile), '../lib/wit/builtin', version);
	return readdirSync(folder).map((name) => {
		const text = readFileSync(join(folder, name, 'package.wit'), 'utf8');
		return text.replace(/^package ([^;]+);([\s\S]*)$/m, 'package $1 {$2}');
	}).join('\n');
}

// A folder with C becomes a component of the world in its file world.wit.
async function fromC(name) {
	const folder = join(here, name);
	const core = join(scratch, `${name}.wasm`);
	execFileSync('clang', ['--target=wasm32-unknown-unknown', '-Os', '-Wall', '-Wextra', '-Werror', '-nostdlib',
		'-Wl,--no-entry', '-Wl,--strip-all', '-o', core,
		...readdirSync(folder).filter((f) => f.endsWith('.c')).sort().map((f) => join(folder, f))], { stdio: 'inherit' });
	const witSource = `${readFileSync(join(folder, 'world.wit'), 'utf8')}\n${interfaces('0.2.12')}`;
	const embedded = await jco.componentEmbed({ binary: readFileSync(core), witSource, world: 'guest' });
	return jco.componentNew(embedded, []);
}

// A file of text becomes what it says, unchecked: some are wrong on purpose.
const fromText = (name) => jco.parse(readFileSync(join(here, `${name}.wat`), 'utf8'));

async function build(name) {
	const bytes = existsSync(join(here, `${name}.wat`)) ? await fromText(name) : await fromC(name);
	writeFileSync(join(here, `${name}.wasm`), bytes);
	console.log(`${name}.wasm: ${bytes.length} bytes`);
}

const all = readdirSync(here, { withFileTypes: true })
	.filter((e) => e.name.endsWith('.wat') || (e.isDirectory() && existsSync(join(here, e.name, 'world.wit'))))
	.map((e) => e.name.replace(/\.wat$/, ''));
for (const name of process.argv.length > 2 ? process.argv.slice(2) : all) await build(name);
