/** The roofline of one call of a program: every dispatch at the call's dims, grouped by kernel. */
import type { Size } from '../../ir/size.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { dispatchSteps, type EntryPointName } from '../../runtime/format/program.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Built } from '../build.ts';
import type { NamedKernel, Target } from '../codegen/target.ts';
import type { Dispatch } from '../kernel/dispatch.ts';
import type { KernelKind } from '../kernel/kernel.ts';
import { elementBytes } from '../kernel/view.ts';
import type { Device } from './devices.ts';
import { assumedRegisters, footprintOf, type Footprint } from './footprint.ts';
import { workOf } from './kernel-work.ts';
import { bounds, occupancyOf, predict, type Bound, type Launch, type Occupancy } from './prediction.ts';
import { addWork, bytesOf, flopsOf, noWork, type KernelWork } from './work.ts';

type Dims = Readonly<Record<string, number>>;

/** All dispatches of one kernel in a call; sums over them. */
export interface KernelRoofline {
  readonly kernel: string;
  readonly kind: KernelKind;
  readonly dispatches: number;
  readonly workgroups: number;
  readonly threads: number;
  readonly tensorCores: boolean;
  readonly registers: number;
  readonly registersFrom: 'assumed' | 'ptxas';
  readonly sharedBytes: number;
  /** Of the threads that a multiprocessor can hold, as far as the kernel's own needs allow; 0 to 1. */
  readonly occupancy: number;
  readonly occupancyLimit: Occupancy['limit'];
  readonly flops: number;
  readonly productFlops: number;
  readonly readBytes: number;
  /** Read again by further thread blocks, from the cache of the device. */
  readonly rereadBytes: number;
  readonly writtenBytes: number;
  /** FLOPs a byte. */
  readonly intensity: number;
  /** What most of its predicted time is bound by. */
  readonly bound: Bound;
  readonly seconds: number;
}
export interface CallRoofline {
  readonly dispatches: number;
  readonly flops: number;
  readonly bytes: number;
  /** Sum of all kernels, one after the other. */
  readonly seconds: number;
  /** Of it, by what bounds each dispatch. */
  readonly boundSeconds: Readonly<Record<Bound, number>>;
  /** In order of first use. */
  readonly kernels: readonly KernelRoofline[];
}

export interface RooflineOptions {
  readonly device: Device;
  /** Registers of kernels, where a compiler has said. */
  readonly registers?: ReadonlyMap<string, number>;
}
/** Launches of the calls: a step of decoding is a graph that is captured once and replayed. */
const launches: { readonly [K in EntryPointName]: Launch } = {
  forward: 'stream',
  prefill: 'stream',
  score: 'stream',
  decode: 'graph',
};

/** Dispatches that are alike but for the buffers. */
interface Alike {
  readonly kernel: SizedKernel;
  readonly dispatch: Dispatch;
  count: number;
}
interface SizedKernel {
  readonly named: NamedKernel;
  readonly footprint: Footprint;
  readonly registers: number;
  readonly registersFrom: KernelRoofline['registersFrom'];
  readonly occupancy: Occupancy;
}
interface Sum {
  readonly kernel: SizedKernel;
  dispatches: number;
  workgroups: number;
  work: KernelWork;
  readonly boundSeconds: Record<Bound, number>;
}

/** One entry point of a program on a device, to be asked at any dims. */
export class EntryRoofline {
  readonly #target: Target;
  readonly #options: RooflineOptions;
  readonly #launch: Launch;
  readonly #alike: readonly Alike[];

  /** A program for CUDA. */
  constructor({ entries, program, kernels }: Built, name: EntryPointName, target: Target, options: RooflineOptions) {
    this.#target = target;
    this.#options = options;
    this.#launch = launches[name];
    const list = entries.find((entry) => entry.name === name)?.list;
    if (!list) throw new AtpcError('ATPC-399', `The program has no entry point ${name}.`);
    const steps = dispatchSteps(program.entryPoints[name]?.steps ?? []);
    const sized = new Map(kernels.map((named) => [named.name, this.#sizedKernel(named)]));
    const alike = new Map<string, Alike>();
    list.dispatches.forEach((dispatch, index) => {
      const kernel = sized.get(steps[index]?.kernel ?? '');
      if (!kernel) throw new AtpcError('ATPC-399', `Dispatch ${index} of ${name} has no kernel.`);
      const { integers, items, when, repeat, reads } = dispatch;
      const types = reads.map(({ buffer }) => buffer.elementType);
      const key = JSON.stringify([kernel.named.name, integers, items, when, repeat, types]);
      const known = alike.get(key);
      if (known) known.count += 1;
      else alike.set(key, { kernel, dispatch, count: 1 });
    });
    this.#alike = [...alike.values()];
  }

  #sizedKernel(named: NamedKernel): SizedKernel {
    const { device, registers } = this.#options;
    const footprint = footprintOf(named);
    const known = registers?.get(named.name);
    const used = known ?? assumedRegisters(named.kernel);
    return {
      named,
      footprint,
      registers: used,
      registersFrom: known === undefined ? 'assumed' : 'ptxas',
      occupancy: occupancyOf(device, footprint, used),
    };
  }

  /** Calls with these dims, one after the other; sums over all of them. */
  at(calls: readonly Dims[]): CallRoofline {
    const sums = new Map<SizedKernel, Sum>();
    for (const { kernel, dispatch, count } of this.#alike) {
      for (const round of calls.flatMap((dims) => roundsOf(dispatch, dims))) {
        const { when } = dispatch;
        if (when && evaluateExpression(when.tokens, round) < when.atLeast) continue;
        this.#add(sums, kernel, dispatch, count, round);
      }
    }
    const rows = [...sums.values()].map(rowOf);
    const total = (pick: (row: KernelRoofline) => number): number => rows.reduce((sum, row) => sum + pick(row), 0);
    const ofBound = (bound: Bound): number => [...sums.values()].reduce((sum, { boundSeconds }) => sum + boundSeconds[bound], 0);
    return {
      dispatches: total(({ dispatches }) => dispatches),
      flops: total(({ flops }) => flops),
      bytes: total(({ readBytes, writtenBytes }) => readBytes + writtenBytes),
      seconds: total(({ seconds }) => seconds),
      boundSeconds: recordOf(ofBound),
      kernels: rows,
    };
  }

  #add(sums: Map<SizedKernel, Sum>, kernel: SizedKernel, dispatch: Dispatch, count: number, dims: Dims): void {
    const evaluated = (size: Size): number => evaluateExpression(size, dims);
    const work = workOf(dispatch.kernel, {
      integers: dispatch.integers.map(evaluated),
      elementBytes: dispatch.reads.map(({ buffer }) => elementBytes[buffer.elementType]),
    });
    const workgroups = evaluated(this.#target.itemsOf(dispatch));
    const { bound, seconds } = predict(work, workgroups, kernel.footprint, kernel.occupancy, {
      device: this.#options.device,
      launch: this.#launch,
    });
    const sum = sums.get(kernel) ?? {
      kernel,
      dispatches: 0,
      workgroups: 0,
      work: noWork,
      boundSeconds: recordOf(() => 0),
    };
    sums.set(kernel, sum);
    sum.dispatches += count;
    sum.workgroups += workgroups * count;
    sum.work = addWork(sum.work, times(work, count));
    sum.boundSeconds[bound] += seconds * count;
  }
}

const recordOf = (secondsOf: (bound: Bound) => number): Record<Bound, number> => ({
  memory: secondsOf('memory'),
  cache: secondsOf('cache'),
  compute: secondsOf('compute'),
  launch: secondsOf('launch'),
});

/** The dims of each round of a dispatch in a repeat. */
function roundsOf({ repeat }: Dispatch, dims: Dims): readonly Dims[] {
  if (!repeat) return [dims];
  return Array.from({ length: evaluateExpression(repeat.count, dims) }, (_, round) => ({ ...dims, [repeat.variable]: round }));
}
function times(work: KernelWork, count: number): KernelWork {
  return {
    productFlops: work.productFlops * count,
    scalarFlops: work.scalarFlops * count,
    specialFlops: work.specialFlops * count,
    readBytes: work.readBytes * count,
    rereadBytes: work.rereadBytes * count,
    writtenBytes: work.writtenBytes * count,
    tileFill: work.tileFill,
  };
}
function rowOf({ kernel, dispatches, workgroups, work, boundSeconds }: Sum): KernelRoofline {
  const { named, footprint, registers, registersFrom, occupancy } = kernel;
  const seconds = bounds.reduce((total, bound) => total + boundSeconds[bound], 0);
  return {
    kernel: named.name,
    kind: named.kernel.kind,
    dispatches,
    workgroups,
    threads: footprint.threads,
    tensorCores: footprint.tensorCores,
    registers,
    registersFrom,
    sharedBytes: footprint.sharedBytes,
    occupancy: occupancy.share,
    occupancyLimit: occupancy.limit,
    flops: flopsOf(work),
    productFlops: work.productFlops,
    readBytes: work.readBytes,
    rereadBytes: work.rereadBytes,
    writtenBytes: work.writtenBytes,
    intensity: flopsOf(work) / Math.max(1, bytesOf(work)),
    bound: bounds.reduce((most, other) => (boundSeconds[other] > boundSeconds[most] ? other : most)),
    seconds,
  };
}
