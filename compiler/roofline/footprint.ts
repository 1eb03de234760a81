/** What a workgroup of a kernel takes of a multiprocessor: threads and shared memory from the kernel as it is written, registers beside. */
import type { TargetName } from '../../runtime/format/manifest.ts';
import type { Dialect, KernelSource } from '../codegen/clike/dialect.ts';
import { bytesOfType, type KernelContext } from '../codegen/clike/kernel-builder.ts';
import type { NamedKernel } from '../codegen/target.ts';
import { wgslDialect } from '../codegen/wgsl/dialect.ts';
import { rendererOf as wgslRendererOf } from '../codegen/wgsl/renderers.ts';
import type { KernelKind } from '../kernel/kernel.ts';

export interface Footprint {
  readonly threads: number;
  readonly sharedBytes: number;
}

type Render = (named: NamedKernel, dialect: Dialect) => string;
function rendered({ name, kernel, pattern }: NamedKernel, dialect: Dialect): string {
  if (pattern === undefined) throw new RangeError(`The operands of the kernel ${name} are not bound.`);
  const renderer = wgslRendererOf(kernel);
  const context: KernelContext = {
    dialect,
    name,
    pattern,
    scratch: renderer.scratch?.isUsed(kernel) ?? false,
    features: { subgroups: 'device', half: true },
  };
  return renderer.render(kernel, context);
}

/** How targets with workgroups write their kernels. */
const writers: { readonly [K in TargetName]?: { readonly dialect: Dialect; readonly render: Render } } = {
  webgpu: { dialect: wgslDialect, render: rendered },
};

/** Writes the kernel, and takes the numbers that the language is given. Null for a target without workgroups. */
export function footprintOf(target: TargetName, named: NamedKernel): Footprint | null {
  const writer = writers[target];
  if (writer === undefined) return null;
  let source: KernelSource | undefined;
  const dialect: Dialect = {
    ...writer.dialect,
    kernel(written) {
      source = written;
      return writer.dialect.kernel(written);
    },
  };
  writer.render(named, dialect);
  if (source === undefined) return null;
  const sharedBytes = source.shared.reduce((sum, { type, count }) => sum + bytesOfType(type) * count, 0);
  return { threads: source.workgroupSize, sharedBytes };
}

/** Registers of a thread where no compiler has said: what products and attention hold of a tile, and little elsewhere. */
export const assumedRegisters: { readonly [K in KernelKind]: number } = {
  map: 32,
  norm: 32,
  gemm: 96,
  block_gemm: 96,
  block_lookup: 32,
  attention: 128,
  cluster: 64,
  segment_means: 32,
  principal_rows: 64,
  cluster_block: 64,
  evict: 40,
  score_keys: 64,
};

/** Registers by kernel, from what `ptxas -v` prints. */
export function registersOfPtxas(text: string): ReadonlyMap<string, number> {
  const registers = new Map<string, number>();
  let kernel: string | undefined;
  for (const line of text.split('\n')) {
    kernel = /Compiling entry function '([^']+)'/.exec(line)?.[1] ?? kernel;
    const used = /Used (\d+) registers/.exec(line)?.[1];
    if (kernel !== undefined && used !== undefined) registers.set(kernel, Number(used));
  }
  return registers;
}
