import { expect } from 'chai';
import { cp, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CompileReport } from '../../compiler/compile-options.ts';
import { atpc, inScratch, listing, sentimentModel } from './command-line.ts';

interface WrongModel {
  readonly what: string;
  /** Changes the copy of the model in `folder`, and gives the arguments of `atpc compile`. */
  readonly prepare: (folder: string) => Promise<readonly string[]>;
  readonly says: RegExp;
  readonly exitCode: number;
}

async function editConfig(folder: string, change: (config: Record<string, unknown>) => void): Promise<void> {
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  change(config);
  await writeFile(file, JSON.stringify(config));
}

const wrongModels: readonly WrongModel[] = [
  {
    what: 'a folder that is not there',
    prepare: () => Promise.resolve(['nowhere']),
    says: /^ATPC-201: .*nowhere/,
    exitCode: 1,
  },
  {
    what: 'an unknown architecture',
    prepare: async (folder) => {
      await editConfig(folder, (config) => (config['architectures'] = ['BertForTeleportation']));
      return ['model'];
    },
    says: /^ATPC-203: .*BertForTeleportation/,
    exitCode: 1,
  },
  {
    what: 'another width than the weights have',
    prepare: async (folder) => {
      await editConfig(folder, (config) => (config['intermediate_size'] = 520));
      return ['model'];
    },
    says: /^ATPC-206: .*512.*520|^ATPC-206: .*520.*512/,
    exitCode: 1,
  },
  {
    what: 'truncated weights',
    prepare: async (folder) => {
      const file = path.join(folder, 'model.safetensors');
      await writeFile(file, (await readFile(file)).subarray(0, 100_000));
      return ['model'];
    },
    says: /^ATPC-204: .*model\.safetensors.*truncated/,
    exitCode: 1,
  },
  {
    what: 'a layer that the weights do not have',
    prepare: async (folder) => {
      await editConfig(folder, (config) => (config['num_hidden_layers'] = 4));
      return ['model'];
    },
    says: /^ATPC-205: .*encoder\.layer\.3\./,
    exitCode: 1,
  },
  {
    what: 'a key of config.json that is not known',
    prepare: async (folder) => {
      await editConfig(folder, (config) => (config['num_hiden_layers'] = 3));
      return ['model'];
    },
    says: /^ATPC-202: .*num_hiden_layers/,
    exitCode: 1,
  },
  {
    what: 'a header with a tensor beyond the end of the file',
    prepare: async (folder) => {
      const file = path.join(folder, 'model.safetensors');
      const bytes = await readFile(file);
      const end = 8 + Number(bytes.readBigUInt64LE(0));
      const header = bytes.toString('utf8', 8, end);
      // The same length, so that everything else stays where it is.
      const last = Math.max(...Array.from(header.matchAll(/(\d+)\]\}/g), (match) => Number(match[1])));
      bytes.write(header.replace(`${last}]`, `${last + 2}]`), 8);
      await writeFile(file, bytes);
      return ['model'];
    },
    says: /^ATPC-204: /,
    exitCode: 1,
  },
  {
    what: 'a shard outside of the folder',
    prepare: async (folder) => {
      await rename(path.join(folder, 'model.safetensors'), path.join(folder, '../outside.safetensors'));
      const index = { weight_map: { 'bert.embeddings.word_embeddings.weight': '../outside.safetensors' } };
      await writeFile(path.join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
      return ['model'];
    },
    says: /^ATPC-208: .*\.\.\/outside\.safetensors/,
    exitCode: 1,
  },
  {
    what: 'a model file that does not type-check',
    prepare: async (folder) => {
      await writeFile(path.join(folder, 'model.ts'), "\nconst layers: number = 'three';\nexport default layers;\n");
      return ['model/model.ts'];
    },
    says: /^ATPC-101: model\/model\.ts:2:7: /,
    exitCode: 1,
  },
  {
    what: 'svd on a checkpoint that was not tuned for it',
    prepare: () => Promise.resolve(['model', '--attn', 'svd']),
    says: /^ATPC-305: .*\n.*--force/,
    exitCode: 1,
  },
  {
    what: 'a plan for a layer that is not there',
    prepare: async (folder) => {
      await writeFile(path.join(folder, 'plan.yaml'), 'version: 1\nlayers:\n  - { layer: 7, mode: expand }\n');
      return ['model', '--plan', 'model/plan.yaml'];
    },
    says: /^ATPC-304: .*layer 7/,
    exitCode: 2,
  },
];

describe('atpc compile', function () {
  this.timeout(300_000);

  it('writes a package, reports as JSON, and leaves an earlier package whole when it is run again and fails', async () => {
    await inScratch(async (cwd) => {
      const first = await atpc(['compile', sentimentModel, '-o', 'out', '--attn', 'expand', '--json'], { cwd });
      expect(first.stderr).to.match(/read model/);
      expect(first.code).to.equal(0);
      const report = JSON.parse(first.stdout) as CompileReport;
      expect(report.out).to.equal('out');
      expect(report.manifest.attention.layers.map(({ heads }) => heads.map(({ mode }) => mode))).to.deep.equal([
        ['expand'],
        ['expand'],
        ['expand'],
      ]);
      const files = await listing(path.join(cwd, 'out'));
      expect(files).to.include.members([
        'package.json',
        'index.js',
        'index.d.ts',
        'worker.js',
        'manifest.json',
        'program.json',
        'README.md',
      ]);
      expect(await listing(cwd)).to.have.members(['out', ...files.map((file) => path.join('out', file))]);

      const second = await atpc(['compile', sentimentModel, '-o', 'out', '--attn', 'svd'], { cwd });
      expect(second.stderr).to.match(/^ATPC-305: /m);
      expect(second.code).to.equal(1);
      expect(await listing(path.join(cwd, 'out'))).to.deep.equal(files);
      expect((await atpc(['inspect', 'package', 'out'], { cwd })).code).to.equal(0);
    });
  });

  it('says what it did and how to go on, without colours where stdout is no terminal', async () => {
    await inScratch(async (cwd) => {
      const { code, stdout, stderr } = await atpc(['compile', sentimentModel], { cwd });
      expect(code).to.equal(0);
      expect(stdout)
        .to.match(/compiled into .*dist\/model in/)
        .and.match(/npx atpc run/)
        .and.match(/attention .*typical length of 256/s);
      expect(stdout + stderr).not.to.include('\u001b');
      expect((await stat(path.join(cwd, 'dist/model'))).isDirectory()).to.equal(true);
      expect(stderr.trim().split('\n')).to.deep.equal([
        'read model ...',
        'run passes ...',
        'emit kernels ...',
        'write weights ...',
        'check package ...',
      ]);
    });
  });

  it('prints nothing under --quiet', async () => {
    await inScratch(async (cwd) => {
      expect(await atpc(['compile', sentimentModel, '-o', 'out', '--quiet'], { cwd })).to.deep.equal({
        code: 0,
        stdout: '',
        stderr: '',
      });
    });
  });

  for (const { what, prepare, says, exitCode } of wrongModels) {
    it(`refuses ${what}, and writes nothing`, async () => {
      await inScratch(async (cwd) => {
        const folder = path.join(cwd, 'model');
        await cp(sentimentModel, folder, { recursive: true });
        const args = await prepare(folder);
        const before = await listing(cwd);
        const { code, stdout, stderr } = await atpc(['compile', ...args, '-o', 'out', '--quiet'], { cwd });
        expect(stderr)
          .to.match(says)
          .and.not.match(/^\s+at .*:\d+/m);
        expect(stdout).to.equal('');
        expect(code).to.equal(exitCode);
        expect(await listing(cwd)).to.deep.equal(before);
      });
    });
  }

  it('refuses an output folder that holds something else, and leaves it as it is', async () => {
    await inScratch(async (cwd) => {
      await mkdir(path.join(cwd, 'out'));
      await writeFile(path.join(cwd, 'out/thesis.txt'), 'years of work');
      const { code, stderr } = await atpc(['compile', sentimentModel, '-o', 'out', '--quiet'], { cwd });
      expect(stderr).to.match(/^ATPC-306: .*out/);
      expect(code).to.equal(2);
      expect(await listing(cwd)).to.deep.equal(['out', 'out/thesis.txt']);
    });
  });

  for (const phase of ['read model', 'emit kernels', 'write weights', 'check package']) {
    it(`interrupted while it is to ${phase}, ends with 130 and leaves nothing`, async () => {
      await inScratch(async (cwd) => {
        const { code, stdout, stderr } = await atpc(['compile', sentimentModel, '-o', 'out'], { cwd, interruptAt: phase });
        expect(stderr).to.match(/Interrupted\.\n$/);
        expect(stdout).to.equal('');
        expect(code).to.equal(130);
        expect(await listing(cwd)).to.deep.equal([]);
      });
    });
  }
});
