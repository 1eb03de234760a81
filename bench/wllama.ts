/** wllama in the Chromium of this machine, on a page with cross-origin isolation, without which it has one thread. */
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium, Page } from '../test/browser/chromium.ts';
import { isolation, StaticServer } from '../test/browser/static-server.ts';
import type { Continued, GenerationFiles, LoadedGenerationPeer } from './generation-peers.ts';

/** What is used of the completions that it answers with (those of llama.cpp's server). */
interface Completion {
  readonly choices: readonly { readonly text: string }[];
  readonly timings: {
    readonly prompt_n: number;
    readonly prompt_ms: number;
    readonly predicted_n: number;
    readonly predicted_ms: number;
  };
}

export async function loadWllama({ gguf, longest }: GenerationFiles, threads: number): Promise<LoadedGenerationPeer> {
  const chromium = findChromium();
  if (chromium === undefined) throw new Error('There is no Chromium: apt-get install chromium');
  const library = fileURLToPath(new URL('node_modules/@wllama/wllama', import.meta.url));
  const { version } = JSON.parse(await readFile(path.join(library, 'package.json'), 'utf8')) as { readonly version: string };
  const site = await mkdtemp(path.join(tmpdir(), 'atpc-wllama-'));
  await symlink(path.join(library, 'esm'), path.join(site, 'wllama'));
  await symlink(gguf, path.join(site, 'model.gguf'));
  await writeFile(path.join(site, 'index.html'), '<!doctype html><title>wllama</title>');
  const server = await StaticServer.start(site, isolation);
  const page = await Page.open(chromium, server.url('index.html'));
  process.once('exit', () => void rm(site, { recursive: true, force: true }));
  const settings = { n_ctx: Math.min(longest, 4096), n_batch: 512, n_threads: threads, n_gpu_layers: 0, flash_attn: true };
  const used = await page.evaluate<number>(`(async () => {
    const { Wllama } = await import('/wllama/index.js');
    globalThis.peer = new Wllama({ default: '/wllama/wasm/wllama.wasm' }, { suppressNativeLog: true });
    await peer.loadModel([await (await fetch('/model.gguf')).blob()], ${JSON.stringify(settings)});
    return peer.isMultithread() ? peer.getNumThreads() : 1;
  })()`);
  if (used !== threads) throw new Error(`wllama has ${used} threads here.`);

  let before = '';
  const complete = async (prompt: string, count: number, cached: boolean): Promise<Continued> => {
    const asked = { prompt, max_tokens: count, temperature: 0, cache_prompt: cached };
    const { choices, timings } = await page.evaluate<Completion>(`peer.createCompletion(${JSON.stringify(asked)})`);
    const answer = choices[0]?.text ?? '';
    before = prompt + answer;
    return {
      read: timings.prompt_n,
      prefillMilliseconds: timings.prompt_ms,
      generated: timings.predicted_n,
      decodeMilliseconds: timings.predicted_ms,
      text: answer,
    };
  };
  return {
    version,
    begin: ({ text }, count) => complete(text, count, false),
    goOn: (count) => complete(before, count, true),
  };
}
