/** Packages with the browser cache, as far as it shows in Node: their files, types, licences and refusals. */
import { readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import ts from 'typescript';
import { loadPackage } from '../../compiler/package/load-package.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { refusal, TemporaryFolder, writeTiny } from './tiny-package.ts';

describe('a package with the browser cache', () => {
  let folder: TemporaryFolder;
  before(async () => {
    folder = await TemporaryFolder.create();
    await writeTiny(folder.file('caching'), { browserCache: true });
    await writeTiny(folder.file('plain'));
  });
  after(() => folder.remove());
  const textOf = (...names: string[]): Promise<string> => readFile(folder.file(...names), 'utf8');

  it('has it in a file of its own, with what is used of tvmjs', async () => {
    const manifest = JSON.parse(await textOf('caching', 'manifest.json')) as Manifest;
    expect(manifest.files.map(({ path }) => path)).to.include('browser-cache.js');
    const packageJson = JSON.parse(await textOf('caching', 'package.json')) as { files: string[] };
    expect(packageJson.files).to.include('browser-cache.js');
    const module = await textOf('caching', 'browser-cache.js');
    // 6.4 KB; all of tvmjs is 60 KB.
    expect(gzipSync(module).length).to.be.below(7000);
    expect(module).to.contain('tvmjs-opfs-store');
    expect(module).to.not.match(/^\s*import[\s{*"']|\bimport\(|\brequire\(|new Function|\beval\(|\bWebAssembly\b/m);
    for (const name of ['index.js', 'worker.js']) {
      expect(await textOf('caching', name), name).to.contain('import(/* @vite-ignore */ /* webpackIgnore: true */ url)');
    }
    const licenses = await textOf('caching', 'THIRD_PARTY_LICENSES.md');
    expect(licenses).to.match(/^## @mlc-ai\/web-runtime 0\.27\.0-dev0 \(Apache-2\.0\)$/m);
    // The text of its NOTICE.
    expect(licenses).to.match(/^Apache TVM$/m);
  });

  it('is the only kind that has any of it', async () => {
    const manifest = JSON.parse(await textOf('plain', 'manifest.json')) as Manifest;
    expect(manifest.files.map(({ path }) => path)).to.not.include('browser-cache.js');
    for (const name of ['index.js', 'worker.js', 'index.d.ts', 'package.json', 'THIRD_PARTY_LICENSES.md']) {
      expect(await textOf('plain', name), name).to.not.match(/browser-cache|importModule|deleteCached|indexeddb|web-runtime/);
    }
    const { load } = await loadPackage(folder.file('plain'));
    expect(await refusal(load({ cache: 'opfs' } as object))).to.equal("ATPC-607: load has no option 'cache'.");
  });

  it('loads in Node, where the option is refused with a sentence', async () => {
    const index = (await import(folder.url('caching/index.js').href)) as {
      load: (options?: object) => Promise<AsyncDisposable>;
      deleteCached: (options?: object) => Promise<void>;
    };
    await using _plain = await index.load();
    await using _none = await index.load({ cache: 'none', onNotice: () => undefined });
    const inNode = /^ATPC-607: .* is for browsers: in Node the files of a package are on the disk already/;
    expect(await refusal(index.load({ cache: 'indexeddb' }))).to.match(inNode);
    expect(await refusal(index.deleteCached())).to.match(inNode);
    expect(await refusal(index.load({ cache: 'cacheapi' }))).to.match(/^ATPC-607: The option cache of load is 'cacheapi'/);
    expect(await refusal(index.deleteCached({ cache: 'none' }))).to.match(/^ATPC-607: The option cache of deleteCached/);
    expect(await refusal(index.deleteCached({ store: 'opfs' }))).to.match(/^ATPC-607: deleteCached has no option 'store'/);
  });

  it('has the types of its options', async () => {
    const uses = {
      'good.mts': `import { load, deleteCached } from './caching/index.js';
        const model = await load({ cache: 'opfs', threads: 2, onNotice: (sentence) => sentence.length });
        await model.run({ input_ids: [[1]] });
        await deleteCached({ cache: 'indexeddb', baseUrl: '/model/' });`,
      'store.mts': `import { load } from './caching/index.js'; await load({ cache: 'cache' });`,
      'plain.mts': `import { load } from './plain/index.js'; await load({ cache: 'opfs' });`,
    };
    for (const [name, text] of Object.entries(uses)) await writeFile(folder.file(name), text);
    const program = ts.createProgram(
      Object.keys(uses).map((name) => folder.file(name)),
      {
        strict: true,
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.NodeNext,
        types: [],
        lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
      },
    );
    const faults = (name: string): string =>
      ts
        .getPreEmitDiagnostics(program, program.getSourceFile(folder.file(name)))
        .map((fault) => ts.flattenDiagnosticMessageText(fault.messageText, ' '))
        .join('\n');
    expect(faults('good.mts')).to.equal('');
    expect(faults('caching/index.d.ts')).to.equal('');
    expect(faults('store.mts')).to.contain(`'"cache"' is not assignable`);
    expect(faults('plain.mts')).to.contain("'cache' does not exist");
  });
});
