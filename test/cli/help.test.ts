import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { createProgram, flagsOf } from '../../compiler/cli/program.ts';
import { createTerminal } from '../../compiler/cli/terminal.ts';
import { atpc } from './command-line.ts';

const commands = [
  'compile',
  'run',
  'inspect model',
  'inspect plan',
  'inspect package',
  'bench',
  'explain',
  'eval',
  'init',
  'doctor',
  'chat',
  'calibrate',
];

function find(name: string): Command {
  const program = createProgram(createTerminal({ json: false, quiet: true, signal: new AbortController().signal }));
  return name.split(' ').reduce((parent, part) => {
    const child = parent.commands.find((candidate) => candidate.name() === part);
    if (child === undefined) throw new Error(`There is no command ${name}.`);
    return child;
  }, program);
}

describe('atpc --help', () => {
  it('lists every command, on stdout, with exit code 0', async () => {
    const { code, stdout, stderr } = await atpc(['--help']);
    expect(code).to.equal(0);
    expect(stderr).to.equal('');
    for (const command of ['compile', 'run', 'inspect']) expect(stdout).to.match(new RegExp(`^ {2}${command}`, 'm'));
  });

  it('prints the help on stderr, with exit code 2, where a command is missing', async () => {
    for (const args of [[], ['inspect']]) {
      const { code, stdout, stderr } = await atpc(args);
      expect(code).to.equal(2);
      expect(stdout).to.equal('');
      expect(stderr).to.match(/^Usage: atpc/);
    }
  });

  it('prints the version of package.json', async () => {
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    expect(await atpc(['--version'])).to.deep.equal({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('names a page of documentation that is there', async () => {
    const { stdout } = await atpc(['compile', '--help']);
    const url = /^Documentation: (file:.*)$/m.exec(stdout)?.[1];
    expect(url).to.be.a('string');
    expect(existsSync(fileURLToPath(url ?? ''))).to.equal(true);
  });

  for (const name of commands) {
    it(`shows every option of '${name}' in its group, with its default`, async () => {
      const { code, stdout } = await atpc([...name.split(' '), '--help']);
      expect(code).to.equal(0);
      const text = stdout.replaceAll(/\s+/g, ' ');
      const flags = flagsOf.get(find(name)) ?? [];
      expect(flags).to.have.length.at.least(2);
      for (const { flags: spelling, group, summary, defaultText } of flags) {
        expect(defaultText, `the default of ${spelling}`).to.be.a('string').and.not.equal('');
        expect(text).to.include(`${spelling} ${summary} (default: ${defaultText ?? ''})`);
        expect(stdout).to.match(new RegExp(`^${group}$`, 'm'));
      }
    });
  }
});

describe('start-up', () => {
  it('loads none of the heavy packages for help and usage errors', async () => {
    // Not esbuild, which tsx itself loads in a checkout.
    const heavy = ['ts-morph', 'binaryen', 'listr2', 'ajv', 'yaml', '@huggingface/hub', '@huggingface/tokenizers'];
    const traced = await atpc(['compile', '--help'], { env: { NODE_DEBUG: 'esm,module' } });
    for (const name of heavy) expect(traced.stderr).not.to.include(`node_modules/${name}/`);
    // The trace itself works: commander is loaded.
    expect(traced.stderr).to.include('node_modules/commander/');
  });
});
