import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { atpc, checkout, inScratch, listing } from './command-line.ts';

/** Runs npm in a folder, without what the test runner set. */
async function npm(args: readonly string[], cwd: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = spawn('npm', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  return { code, output };
}

describe('atpc init', function () {
  this.timeout(300_000);

  it('writes a project whose own test passes', async () => {
    await inScratch(async (folder) => {
      const { code, stdout } = await atpc(['init', 'my-model'], { cwd: folder });
      expect(code).to.equal(0);
      expect(stdout).to.include('cd my-model && npm install && npm test');
      const project = path.join(folder, 'my-model');
      // What npm install does with a folder: a link to this checkout, and one to its command.
      await mkdir(path.join(project, 'node_modules/.bin'), { recursive: true });
      await symlink(checkout, path.join(project, 'node_modules/atpc'), 'dir');
      await symlink('../atpc/bin/atpc.mjs', path.join(project, 'node_modules/.bin/atpc'));
      const { code: testCode, output } = await npm(['test'], project);
      expect(testCode, output).to.equal(0);
      expect(output).to.match(/# pass 1|pass 1/);
    });
  });

  it('asks for the version of atpc that wrote it', async () => {
    await inScratch(async (folder) => {
      await atpc(['init', '--quiet'], { cwd: folder });
      const { version } = JSON.parse(await readFile(path.join(checkout, 'package.json'), 'utf8')) as { version: string };
      const project = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
      expect(project['devDependencies']).to.deep.equal({ atpc: `^${version}` });
    });
  });

  it('refuses a folder that is not empty, and leaves it as it is', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'notes.txt'), 'mine');
      const { code, stderr } = await atpc(['init', folder]);
      expect(stderr)
        .to.match(/^ATPC-306: /)
        .and.include('notes.txt');
      expect(code).to.equal(2);
      expect(await listing(folder)).to.deep.equal(['notes.txt']);
    });
  });
});
