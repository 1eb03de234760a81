#!/usr/bin/env bash
# Packs atpc as it would be published, installs it in an empty folder, and compiles and runs a model with it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cd "$root"
npm pack --silent --pack-destination "$scratch" >/dev/null
cd "$scratch"
echo '{ "private": true }' >package.json
npm install --silent --no-audit --no-fund "$scratch"/atpc-*.tgz
npx atpc --version
npx atpc compile "$root/examples/sentiment/model" -o sentiment --attn expand --keys 1/4 -t wasm,webgpu
npx atpc inspect package sentiment
npx atpc run sentiment --text "A warm, funny and beautifully acted film." --json | tee result.json
node -e '
  const { results: [{ label, score }] } = JSON.parse(require("node:fs").readFileSync("result.json", "utf8"));
  if (!/pos/i.test(label) || !(score > 0.5)) throw new Error(`Expected a positive label, found ${label} ${score}.`);
'
echo "The packed package compiles and runs."
