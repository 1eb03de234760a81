/** Which products on CUDA normalise their left side, by the roofline (compiler/roofline): where it takes longer, a norm stays a kernel. */
import type { Size } from '../../../ir/size.ts';
import type { BlockGemmKernel, GemmKernel } from '../../kernel/kernel.ts';
import type { LeftNorm, Norm } from '../../kernel/row-norm.ts';

type Schedule = (GemmKernel | BlockGemmKernel)['schedule'];
type Form = 'fewRows' | 'tiles' | 'tensorCores';
interface FormNorms {
  readonly statistics: LeftNorm['statistics'];
  /** The most numbers along K, of all rows that a thread block has of few. */
  readonly most: { readonly [N in Norm]: number };
}
/**
 * Few rows: each thread block computes statistics from rows that it reads anyway (rms_norm) or reads twice more (layer_norm), and reads the
 * vectors of the norm, from the cache of the device. On an H100 that is over before a kernel in a CUDA graph would be, up to these sizes,
 * for products of up to 5.5 K columns of f16 or of 4 bits. Tiles: each scales what it reads; without tensor cores that is time of the
 * lanes that multiply, 2 FLOPs a number (rms_norm) or 4 (layer_norm) for 128.
 */
const norms: { readonly [F in Form]: FormNorms } = {
  fewRows: { statistics: 'computed', most: { rms: 6144, layer: 1536 } },
  tiles: { statistics: 'gathered', most: { rms: 4096, layer: 1536 } },
  tensorCores: { statistics: 'gathered', most: { rms: Infinity, layer: Infinity } },
};
const formOf = (schedule: Schedule): Form =>
  'threads' in schedule ? 'fewRows' : 'multiply' in schedule ? 'tensorCores' : 'tiles';

export function cudaLeftNorm(norm: Norm, schedule: Schedule, depth: Size): LeftNorm['statistics'] | null {
  const form = formOf(schedule);
  const { statistics, most } = norms[form];
  const numbers = typeof depth === 'number' ? depth * (form === 'fewRows' ? schedule.rowTile : 1) : Infinity;
  return numbers <= most[norm] ? statistics : null;
}
