import type { BindingSlot } from '../bindings.ts';
import type { PlacedDispatch, PlannedDispatch } from '../slot-plan.ts';
import type { Address, CudaDriver } from './driver.ts';
import type { CudaKernel } from './kernels.ts';
import { LaunchBuffer } from './launch-buffer.ts';

/** Launches dispatches, and keeps the addresses that their kernels get. */
export class Launches {
  readonly #driver: CudaDriver;
  readonly #stream: Address;
  readonly #kernels: ReadonlyMap<string, CudaKernel>;
  readonly #buffer: LaunchBuffer;
  /** By dispatch, then by state. Good until memory moves. */
  #bindings = new Map<PlannedDispatch, Map<number | null, BigUint64Array>>();

  constructor(driver: CudaDriver, stream: Address, kernels: ReadonlyMap<string, CudaKernel>) {
    this.#driver = driver;
    this.#stream = stream;
    this.#kernels = kernels;
    this.#buffer = new LaunchBuffer(driver);
  }

  /** `sizes`: where those of the call begin. `addressOf` is asked where each binding lies for the state. */
  launch(
    { dispatch, items, sizesOffset }: PlacedDispatch,
    sizes: Address,
    state: number | null,
    addressOf: (binding: BindingSlot) => Address,
  ): void {
    const { function: address, threads } = this.#kernels.get(dispatch.kernel) as CudaKernel;
    this.#buffer.fill(sizes + BigInt(sizesOffset), this.#bindingsOf(dispatch, state, addressOf));
    this.#driver.launch(address, items, threads, this.#stream, this.#buffer.extra);
  }
  #bindingsOf(dispatch: PlannedDispatch, state: number | null, addressOf: (binding: BindingSlot) => Address): BigUint64Array {
    let byState = this.#bindings.get(dispatch);
    if (byState === undefined) this.#bindings.set(dispatch, (byState = new Map<number | null, BigUint64Array>()));
    let bindings = byState.get(state);
    if (bindings === undefined) byState.set(state, (bindings = BigUint64Array.from(dispatch.bindings, addressOf)));
    return bindings;
  }
  forgetState(state: number): void {
    for (const byState of this.#bindings.values()) byState.delete(state);
  }
  clear(): void {
    this.#bindings = new Map();
  }
}
