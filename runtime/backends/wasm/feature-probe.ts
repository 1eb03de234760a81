import { AtpcError } from '../../errors.ts';
import type { ManifestVariant, WasmFeature } from '../../format/manifest.ts';

const bytesOf = (hexadecimal: string): Uint8Array =>
  Uint8Array.from(hexadecimal.match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16));

/** The smallest modules that only an engine with the feature takes (binary format: WebAssembly core specification, 5). */
const probes: { readonly [K in WasmFeature]: string } = {
  // (func (result v128) (i8x16.splat (i32.const 0)))
  simd128: '0061736d01000000 0105016000017b 03020100 0a080106004100fd0f0b',
  // (import "a" "b" (memory 1 1 shared))
  threads: '0061736d01000000 02090101610162020301 01',
  // (func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))
  'relaxed-simd': '0061736d01000000 01060160017b017b 03020100 0a0d010b00200020002000fd85020b',
};

/** Whether workers can share memory. Browsers let cross-origin isolated pages do so, whatever other pages have by that name. */
export function sharesMemory(): boolean {
  return typeof SharedArrayBuffer === 'function' && !isNotIsolated();
}
/** Whether this is a page, or a worker of one, that is not cross-origin isolated. */
export function isNotIsolated(): boolean {
  return typeof crossOriginIsolated === 'boolean' && !crossOriginIsolated;
}

/** Whether the engine has a feature; `threads` needs memory that workers can share too. */
export function hasFeature(feature: WasmFeature): boolean {
  if (feature === 'threads' && !sharesMemory()) return false;
  return WebAssembly.validate(bytesOf(probes[feature]));
}

/**
 * The build that uses most of what the engine has, among those for one thread or those for several. Throws ATPC-501 where
 * the engine can run none.
 */
export function chooseVariant(variants: readonly ManifestVariant<'wasm'>[], threads: boolean): ManifestVariant<'wasm'> {
  const fitting = variants
    .filter(({ features }) => features.includes('threads') === threads && features.every(hasFeature))
    .sort((a, b) => b.features.length - a.features.length);
  if (fitting[0]) return fitting[0];
  const lists = variants.map(({ features }) => (features.length === 0 ? 'nothing' : features.join(' and ')));
  throw new AtpcError('ATPC-501', `This engine can run none of the package's kernels, which need ${lists.join('; or ')}.`);
}
