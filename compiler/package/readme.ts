import type { Manifest, ManifestTarget, TargetName, Task } from '../../runtime/format/manifest.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { lossLine } from '../quality/loss-words.ts';
import { describePort } from './declarations.ts';
import { ownApproximations } from './own-approximations.ts';

/** Text of the package's README.md. */
export function readmeOf(packageName: string, manifest: Manifest): string {
  return [
    `# ${packageName}`,
    manifest.source.description,
    `The model \`${manifest.name}\` (${manifest.family}), compiled by atpc ${manifest.compiler.version} into a package without dependencies. It runs in Node.js 20.19 or newer and in browsers, in workers, and reads nothing but the files of this package.`,
    backends(manifest),
    '## Use',
    [
      '```js',
      `import { load } from ${JSON.stringify(packageName)};`,
      '',
      'const model = await load();',
      ...example(manifest),
      'await model.dispose();',
      '```',
    ].join('\n'),
    'Every call takes `{ signal }` and queues up behind the calls before it. Errors have a `code`, a sentence and a `hint`.',
    '## Inputs and outputs',
    table(
      ['', 'name', 'type'],
      [
        ...manifest.inputs.map((port) => ['in', `\`${port.name}\``, describePort(port)]),
        ...manifest.outputs.map((port) => ['out', `\`${port.name}\``, describePort(port)]),
      ],
    ),
    table(
      ['dim', 'from', 'to'],
      manifest.dims.map((dim) => [dim.name, String(dim.min), String(dim.max)]),
    ),
    '## Memory',
    memory(manifest),
    '## Attention',
    attention(manifest),
    '## Licence',
    `The model: ${manifest.source.license ?? 'not known; see LICENSE'}. The runtime in index.js and worker.js: Apache-2.0; code of others in it: THIRD_PARTY_LICENSES.md.`,
  ]
    .filter((section) => section !== '')
    .join('\n\n')
    .concat('\n');
}

function example(manifest: Manifest): string[] {
  const lines: { readonly [K in Task['kind']]: readonly string[] } = {
    embed: ["const [first, second] = await model.embed(['One text.', 'Another.']);"],
    generate: ["for await (const { text } of model.generate('Once upon a time', { maxTokens: 64 })) process.stdout.write(text);"],
    classify: ["const { label, score } = await model.classify('A text.');"],
    tensors: [
      `const { ${manifest.outputs[0]?.name ?? ''} } = await model.run({ ${manifest.inputs
        .filter((port) => port.default === undefined)
        .map((port) => port.name)
        .join(', ')} });`,
    ],
  };
  return [...lines[manifest.task.kind]];
}

const targetWords: { readonly [K in TargetName]: { readonly name: string; readonly needs: string } } = {
  wasm: { name: 'WebAssembly', needs: '' },
  webgpu: {
    name: 'WebGPU',
    needs:
      'In Node.js WebGPU needs the package [webgpu](https://www.npmjs.com/package/webgpu) beside this one (`npm install webgpu`).',
  },
  cuda: {
    name: 'CUDA',
    needs:
      'CUDA runs in Node.js on NVIDIA GPUs of compute capability 8.0 and up, and needs their driver and the package [koffi](https://www.npmjs.com/package/koffi) beside this one (`npm install koffi`), no toolkit.',
  },
  native: {
    name: 'machine code',
    needs:
      'Machine code runs in Node.js, and needs the package [koffi](https://www.npmjs.com/package/koffi) beside this one (`npm install koffi`), no compiler.',
  },
};
/** Nothing of WebAssembly alone, which runs wherever the package does. */
function backends({ targets }: Manifest): string {
  const names = targets.map(({ name }) => name);
  if (names.every((name) => name === 'wasm')) return '';
  const needs = names.map((name) => targetWords[name].needs).filter((sentence) => sentence !== '');
  const built = targets.flatMap(({ name, variants }) => buildsOf[name]?.(variants) ?? []);
  const [first = '', ...others] = names;
  if (others.length === 0)
    return [
      `It needs ${targetWords[targets[0]?.name ?? 'wasm'].name}: it has no kernels for anything else.`,
      ...needs,
      ...built,
    ].join(' ');
  const decides = [`\`load({ backend: '${first}' })\``, ...others.map((name) => `\`'${name}'\``)];
  return [
    `It has kernels for ${listed(
      'and',
      names.map((name) => targetWords[name].name),
    )}.`,
    `\`load()\` takes the fastest of them that works; ${listed('or', decides)} decides. \`model.info().backend\` says which it is.`,
    ...needs,
    ...built,
  ].join(' ');
}
/** The systems that libraries are for. */
function systemsOf(variants: ManifestTarget['variants']): string {
  const systems = variants.flatMap(({ features }) => features.filter((name) => /^(?:linux|darwin)-/.test(name)));
  if (systems.length > 0) return `It is compiled for ${listed('and', [...new Set(systems)])}.`;
  return 'The machine that compiled this package had no C compiler: it has the kernels as text alone (kernels/native/kernels.c), and does not load on native.';
}
/** What a driver has to support, at least. */
function driversOf(variants: ManifestTarget['variants']): string {
  const versions = variants.flatMap(({ features }) => features.map((feature) => feature.replace(/^cuda-/, '')));
  const oldest = versions.sort((a, b) => Number(a) - Number(b))[0];
  if (oldest !== undefined) return `The driver has to support CUDA ${oldest} or newer.`;
  return 'The machine that compiled this package had no CUDA compiler: it has the kernels as text alone (kernels/cuda/kernels.cu), and does not load on CUDA.';
}
/** What is to be known of the builds of targets that other compilers make. */
const buildsOf: { readonly [K in TargetName]?: (variants: ManifestTarget['variants']) => string } = {
  cuda: driversOf,
  native: systemsOf,
};
function listed(word: 'and' | 'or', items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1) ?? ''}`;
}

function memory(manifest: Manifest): string {
  const bytesAt = ({ memory: { total } }: ManifestTarget, pick: 'min' | 'max'): string => {
    const dims = Object.fromEntries(manifest.dims.map((dim) => [dim.name, dim[pick]]));
    const place = Object.entries(dims)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
    return `${(evaluateExpression(total, dims) / 1e6).toFixed(1)} MB${place === '' ? '' : ` at ${place}`}`;
  };
  const several = manifest.targets.length > 1;
  const peaks = manifest.targets.map(
    (target) => `Peak${several ? ` on ${target.name}` : ''}: ${bytesAt(target, 'min')}; ${bytesAt(target, 'max')}.`,
  );
  return `${peaks.join(' ')} The formula is \`memory\` of the target in manifest.json.`;
}

function attention(manifest: Manifest): string {
  const rows = manifest.attention.layers.flatMap(({ layer, heads }) =>
    heads.map((plan) => {
      const measured = plan.measuredKeys
        ? `${plan.measuredKeys.mean.toFixed(3)} (at most ${plan.measuredKeys.max.toFixed(3)})`
        : 'not measured';
      return [String(layer), plan.kvHeads.join(' '), plan.mode, String(plan.keys), measured];
    }),
  );
  const lines = [
    ...manifest.approximations,
    ...ownApproximations(manifest).map(({ target, sentence }) => `on ${target}: ${sentence}`),
  ];
  const approximations =
    lines.length === 0 ? 'Nothing in this package is approximate.' : lines.map((line) => `- ${line}`).join('\n');
  const plan = rows.length === 0 ? '' : `\n\n${table(['layer', 'heads', 'mode', 'share of keys', 'measured share'], rows)}`;
  const { reason, loss } = manifest.attention;
  return `${reason}\n\n${loss ? `${lossLine(loss)}\n\n` : ''}${approximations}${plan}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
