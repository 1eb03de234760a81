import { fileURLToPath } from 'node:url';
import { Project } from 'ts-morph';
import type { OpName } from '../../ir/ops/attributes.ts';
import { opNames, ops } from '../../ir/ops/table.ts';
import { stateBytes } from '../../ir/cache.ts';
import { targetNamed, targetNames } from '../../compiler/codegen/targets.ts';
import type { TargetName } from '../../runtime/format/manifest.ts';
import { causalModeNames, causalModes } from '../../passes/atp/cache-plan.ts';
import { modeNames, modes } from '../../passes/atp/modes/table.ts';
import { roles } from '../../passes/fuse/groups.ts';
import { code, table } from './markdown.ts';

/** How a role of the fusion table reads in a column of a target. */
const roleSentences = {
  source: 'memory',
  free: 'inlined',
  view: 'a view, no work; a copy where memory must be reordered',
  loop: 'loop kernel, fused',
  'inside attention': 'inside the attention kernel',
  norm: 'norm kernel',
  matmul: 'gemm kernel on weights; loop kernel otherwise',
  gemm: 'gemm kernel',
  reduction: 'loop kernel with a reduction',
  attention: 'attention kernel',
  cached_attention: 'attention kernel over a state, and the kernels of its cache',
  cluster: 'kernel of its own',
  segment_means: 'kernel of its own',
  principal_rows: 'kernel of its own',
} as const satisfies { readonly [K in (typeof roles)[OpName] | 'gemm']: string };

/** What a target does for a role. The modes that it refuses are all that keeps it from having a kernel. */
function kernelOn(target: TargetName, role: keyof typeof roleSentences): string {
  const refused = Object.keys(targetNamed(target).refusedModes);
  return role === 'principal_rows' && refused.includes('svd') ? 'none, see mode svd' : roleSentences[role];
}

const sessionLengths = [2048, 8192, 32_768] as const;

export function opsPage(): string {
  const documented = attributeDocumentation();
  return [
    '# Ops and modes',
    '## Ops of the graph level',
    [
      'From the tables in `ir/ops/` and `passes/fuse/groups.ts`. Every op has a type rule, a reference evaluation (plain TypeScript, in',
      'float64 on request) and a cost. A composite op has a decomposition into the primitive ones as well, and both must agree.',
    ].join('\n'),
    table(
      ['op', 'inputs', 'attributes', 'what it is', 'composite', 'interpreter', ...targetNames],
      opNames.map((name) => [
        code(name),
        String(ops[name].inputs),
        documented[name].attributes === '' ? '' : code(documented[name].attributes),
        documented[name].text,
        ops[name].decompose === null ? '' : 'yes',
        'yes',
        ...targetNames.map((target) => kernelOn(target, roles[name])),
      ]),
    ),
    '## Modes of attention',
    'From the table in `passes/atp/modes/`. A mode replaces the keys that a query reads by fewer.',
    table(
      [
        'mode',
        'principal keys come from',
        'keys read at 512 tokens, 1/4',
        'causal',
        'result',
        'chosen automatically',
        'not on',
        'what it does',
        'source',
      ],
      modeNames.map((name) => {
        const mode = modes[name];
        return [
          code(name),
          mode.space,
          String(Math.round(mode.keysRead([1, 4], 512, 1))),
          mode.causal ? 'yes' : 'no',
          mode.error,
          mode.automatic ? 'yes' : 'no',
          targetNames.flatMap((target) => refusalOf(target, name)).join('; '),
          mode.summary,
          mode.source,
        ];
      }),
    ),
    '## Modes of causal attention',
    [
      'From the table in `passes/atp/cache-plan.ts`. A mode says what a KV head of a model that generates keeps between calls. The kilobytes are',
      'those of one KV head of 64 elements, in a session that can hold so many tokens. `hybrid` is no row: it is a plan with several of them.',
    ].join('\n'),
    table(
      [
        'mode',
        'what stays',
        'numbers in a plan',
        ...sessionLengths.map((tokens) => `kB at ${tokens.toLocaleString('en')} tokens`),
      ],
      causalModeNames.map((name) => {
        const { summary, settings, cache } = causalModes[name];
        const bytes = sessionLengths.map((tokens) => stateBytes(cache(tokens, {}), { kvHeads: 1, headSize: 64, valueSize: 64 }));
        return [
          code(name),
          summary,
          settings.map(code).join(', '),
          ...bytes.map((count) => Math.round(count / 1000).toLocaleString('en')),
        ];
      }),
    ),
  ].join('\n\n');
}

function refusalOf(target: TargetName, mode: string): readonly string[] {
  const why = targetNamed(target).refusedModes[mode];
  return why === undefined ? [] : [`${target}: ${why}`];
}

/** The comment and the attributes of each op, as the source has them. */
function attributeDocumentation(): Readonly<Record<OpName, { readonly text: string; readonly attributes: string }>> {
  const project = new Project({
    useInMemoryFileSystem: false,
    skipAddingFilesFromTsConfig: true,
    skipFileDependencyResolution: true,
  });
  const file = project.addSourceFileAtPath(fileURLToPath(new URL('../../ir/ops/attributes.ts', import.meta.url)));
  const rows = file
    .getInterfaceOrThrow('OpAttributes')
    .getProperties()
    .map((property) => {
      const text = property
        .getJsDocs()
        .map((comment) => comment.getDescription().trim().replaceAll(/\s+/g, ' '))
        .join(' ');
      const type = property.getTypeNodeOrThrow().getText().replaceAll('readonly ', '').replaceAll(/\s+/g, ' ');
      return [property.getName(), { text, attributes: type === 'NoAttributes' ? '' : type }] as const;
    });
  return Object.fromEntries(rows) as Record<OpName, { text: string; attributes: string }>;
}
