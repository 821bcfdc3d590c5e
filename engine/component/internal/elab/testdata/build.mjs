// Turns each .wat here into a .wasm: node build.mjs, where npm has @bytecodealliance/jco 1.35.0.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parse } from "@bytecodealliance/jco";

for (const file of readdirSync(".").filter((f) => f.endsWith(".wat"))) {
  writeFileSync(file.replace(/wat$/, "wasm"), await parse(readFileSync(file, "utf8")));
}
