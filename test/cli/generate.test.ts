/** `atpc run --prompt` and `atpc chat`, with SmolLM2. */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { GenerationResult } from '../../runtime/api.ts';
import { requires, smollm2File } from '../requirements.ts';
import { atpc, checkout, sentimentModel, type Outcome } from './command-line.ts';

describe('text generation on the command line', function () {
  this.timeout(300_000);
  let folder: string;
  let smollm2: string;
  before(async function () {
    requires(this, 'smollm2', existsSync(smollm2File));
    folder = await mkdtemp(path.join(tmpdir(), 'atpc-test-'));
    smollm2 = path.join(folder, 'smollm2');
    const { code, stdout, stderr } = await atpc(['compile', smollm2File, '-o', smollm2, '--max-seq', '512']);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.include('text generation, with a chat template').and.include(`npx atpc chat ${smollm2}`);
  });
  after(async () => {
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  describe('atpc run --prompt', () => {
    const run = (...args: readonly string[]): Promise<Outcome> => atpc(['run', smollm2, '--prompt', ...args]);
    type Result = GenerationResult & { readonly package: string; readonly backend: string; readonly prompt: string };

    it('prints the answer on stdout, and what it cost on stderr', async () => {
      const { code, stdout, stderr } = await run('The capital of France is', '--max-tokens', '12');
      expect(code, stderr).to.equal(0);
      expect(stdout).to.match(/^ Paris.*\n$/s);
      expect(stderr).to.match(/12 tokens, cut at its length, \d+\.\d tokens\/s; prompt of \d tokens in [\d.]+ ms.* on wasm/);
      const { stdout: json } = await run('The capital of France is', '--max-tokens', '12', '--json');
      const result = JSON.parse(json) as Result;
      expect(`${result.text}\n`).to.equal(stdout);
      expect(result).to.include({ prompt: 'The capital of France is', finish: 'length', backend: 'wasm', reusedTokens: 0 });
      expect(result.ids).to.have.length(12);
      const quiet = await run('The capital of France is', '--max-tokens', '12', '--quiet');
      expect(quiet).to.deep.equal({ code: 0, stdout, stderr: '' });
    });
    it('samples by the seed, and stops before a text', async () => {
      const sampled = async (seed: string): Promise<string> =>
        (await run('Once', '--max-tokens', '12', '--temperature', '1', '--top-p', '0.95', '--seed', seed, '--quiet')).stdout;
      const first = await sampled('1');
      expect(await sampled('1')).to.equal(first);
      expect(await sampled('2')).to.not.equal(first);
      const { stdout } = await run('Count: one, two, three,', '--max-tokens', '30', '--stop', ' six', '--json');
      const { text, finish } = JSON.parse(stdout) as Result;
      expect(finish).to.equal('stop');
      expect(text).to.match(/five/).and.not.include('six');
    });
    it('refuses what does not fit, with a sentence', async () => {
      for (const [args, words] of [
        [['--prompt', 'a', '--text', 'b'], 'A text (--text) and a prompt (--prompt) exclude each other'],
        [['--text', 'b', '--top-k', '3'], '--top-k <tokens> goes with --prompt only'],
        [['--prompt', 'a', '--temperature', 'hot'], "--temperature takes a number from 0, and 'hot' is none"],
        [['--prompt', 'a', '--top-p', '2'], '--top-p takes a number from 0 to 1'],
        [['--prompt', 'a', '--max-tokens', '0'], '--max-tokens takes a whole number above 0'],
        [['--prompt', 'a', '--temprature', '1'], 'Did you mean --temperature'],
      ] as const) {
        const { code, stderr } = await atpc(['run', smollm2, ...args]);
        expect(code, args.join(' ')).to.equal(2);
        expect(stderr, args.join(' ')).to.include('ATPC-301').and.include(words);
      }
      const long = await run('word '.repeat(600));
      expect(long.code).to.equal(2);
      expect(long.stderr).to.include('ATPC-603').and.include('512');
      const embedding = await atpc(['run', smollm2, '--text', 'b']);
      expect(embedding.code).to.equal(2);
      expect(embedding.stderr).to.include('ATPC-605').and.include('--prompt');
    });
  });

  describe('atpc chat', () => {
    it('answers one message a line of a pipe, and knows what was said', async () => {
      const { code, stdout, stderr } = await chat(smollm2, [], 'What is the capital of France?\n\nAnd of Italy?\n');
      expect(code, stderr).to.equal(0);
      const [first = '', second = '', ...rest] = stdout.split('\n');
      expect(first).to.include('Paris');
      expect(second).to.include('Rome');
      expect(rest).to.deep.equal(['']);
      // A slow machine also sees how far loading is.
      const costs = stderr.split('\n').filter((line) => line.includes('tokens/s'));
      expect(costs).to.have.length(2);
      expect(costs[0]).to.match(/tokens\/s; prompt of \d+ tokens in .*; state [\d.]+ MB$/);
      expect(costs[1]).to.match(/, \d+ of them known/);
      expect(stdout + stderr).to.not.include('\u001b');
    });
    it('prints a JSON object a line, and goes on after a message that is too long', async () => {
      const { code, stdout } = await chat(smollm2, ['--json'], `${'word '.repeat(600)}\nWhat is the capital of France?\n`);
      expect(code).to.equal(0);
      const lines = stdout.trim().split('\n');
      expect(lines).to.have.length(2);
      const [failed, answered] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(failed).to.have.nested.property('error.code', 'ATPC-603');
      expect(answered).to.include({ finish: 'end' }).and.have.property('stateBytes').that.is.above(1e6);
      expect(answered?.['text']).to.include('Paris');
    });
    it('forgets with /clear, and ends with /exit', async () => {
      const { code, stdout } = await chat(
        smollm2,
        ['--json', '--max-tokens', '4'],
        'Hi there.\n/clear\nHi there.\n/exit\nMore\n',
      );
      expect(code).to.equal(0);
      const [first, second, ...rest] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as GenerationResult);
      expect(rest).to.deep.equal([]);
      expect(second?.promptTokens).to.equal(first?.promptTokens);
      expect(second?.text).to.equal(first?.text);
    });
    it('begins with the system message that is given', async () => {
      const said = async (...args: readonly string[]): Promise<GenerationResult> =>
        JSON.parse((await chat(smollm2, ['--json', '--max-tokens', '4', ...args], 'Hi.\n')).stdout) as GenerationResult;
      const [plain, directed] = [await said(), await said('--system', 'You answer with the one word banana, whatever is asked.')];
      expect(directed.promptTokens).to.not.equal(plain.promptTokens);
    });
    it('stops the answer at ctrl-C, and not the program', async () => {
      const lines = ['Tell me a very long story about a dragon and a village.\n', 'What is the capital of France?\n'];
      const { code, stdout, stderr } = await chat(smollm2, ['--max-tokens', '300'], lines, 'dragon');
      expect(code, stderr).to.equal(0);
      expect(stderr).to.include('stopped');
      expect(stdout.trim().split('\n').at(-1)).to.include('Paris');
    });
    it('refuses a package that does not chat, before it is loaded', async () => {
      const encoder = path.join(folder, 'sentiment');
      expect((await atpc(['compile', sentimentModel, '-o', encoder, '--quiet'])).code).to.equal(0);
      const { code, stderr } = await chat(encoder, [], 'Hi\n');
      expect(code).to.equal(2);
      expect(stderr).to.include('ATPC-605').and.include("'classify'");
      const prompted = await atpc(['run', encoder, '--prompt', 'a']);
      expect(prompted.code).to.equal(2);
      expect(prompted.stderr).to.include('ATPC-605');
    });
  });
});

/**
 * Runs `atpc chat` with `input` on its stdin: at once, or line by line, where a SIGINT comes as soon as stdout holds
 * `interruptAt` and the next line when the answer has stopped.
 */
async function chat(
  folder: string,
  args: readonly string[],
  input: string | readonly string[],
  interruptAt?: string,
): Promise<Outcome> {
  const { NODE_OPTIONS: _options, NO_COLOR: _noColor, FORCE_COLOR: _forceColor, ...env } = process.env;
  const child = spawn(process.execPath, [path.join(checkout, 'bin/atpc.mjs'), 'chat', folder, ...args], {
    cwd: checkout,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr, interrupted] = ['', '', false];
  const [first = '', ...rest] = typeof input === 'string' ? [input] : input;
  const finish = (): void => void child.stdin.end(rest.join(''));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (interruptAt === undefined || interrupted || !stdout.includes(interruptAt)) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (interruptAt !== undefined && stderr.includes('stopped') && !child.stdin.writableEnded) finish();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.write(first);
  if (interruptAt === undefined) finish();
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  return { code, stdout, stderr };
}
