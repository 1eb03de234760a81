import type { StepTime } from '../../api.ts';
import type { PlacedDispatch } from '../slot-plan.ts';
import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver } from './driver.ts';

/** Times of dispatches on the clock of the device: an event before each, and one after the last. */
export class StepEvents {
  readonly #driver: CudaDriver;
  readonly #stream: Address;
  readonly #events: Address[] = [];

  constructor(driver: CudaDriver, stream: Address) {
    this.#driver = driver;
    this.#stream = stream;
  }

  record(dispatches: number, launch: (index: number) => void): void {
    while (this.#events.length <= dispatches) this.#events.push(this.#driver.createEvent(true));
    for (let index = 0; index < dispatches; index++) {
      this.#driver.record(this.#events[index] as Address, this.#stream);
      launch(index);
    }
    this.#driver.record(this.#events[dispatches] as Address, this.#stream);
  }
  /** Once all is done. `start` is when the call was given to the device. */
  times(dispatches: readonly PlacedDispatch[], start: number): readonly StepTime[] {
    let at = start;
    return dispatches.map(({ dispatch: { step } }, index) => {
      const [begin, end] = [this.#events[index], this.#events[index + 1]] as [Address, Address];
      const milliseconds = this.#driver.millisecondsBetween(begin, end);
      const time = { step, start: at, milliseconds };
      at += milliseconds;
      return time;
    });
  }
  dispose(): void {
    for (const event of this.#events.splice(0)) ignoringFailures(() => this.#driver.destroyEvent(event));
  }
}
