// The interfaces of WASI, as one text. They come with jco in one version, a file for each package;
// they read the same in versions that differ in the last number only.
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const kept = '0.2.12';

export async function interfaces(version = kept) {
	const entry = createRequire(import.meta.url).resolve('@bytecodealliance/jco');
	const folder = join(dirname(entry), '..', 'lib', 'wit', 'builtin', kept);
	const names = (await readdir(folder)).sort();
	const texts = await Promise.all(names.map((n) => readFile(join(folder, n, 'package.wit'), 'utf8')));
	return texts
		.map((t) => t.replace(/^package ([^;]+);([\s\S]*)$/m, 'package $1 {$2}').replaceAll(kept, version))
		.join('\n');
}
