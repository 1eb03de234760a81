import { AtpcError } from '../../errors.ts';
import { DeviceLost } from '../executor.ts';

/** Codes of the driver that something here depends on (CUDA Driver API, "Data types used by CUDA driver", CUresult). */
export const cudaCode = {
  success: 0,
  invalidValue: 1,
  outOfMemory: 2,
  deinitialized: 4,
  stubLibrary: 34,
  noDevice: 100,
  invalidDevice: 101,
  invalidImage: 200,
  invalidContext: 201,
  noBinaryForGpu: 209,
  eccUncorrectable: 214,
  invalidPtx: 218,
  nvlinkUncorrectable: 220,
  jitCompilerNotFound: 221,
  unsupportedPtxVersion: 222,
  notFound: 500,
  notReady: 600,
  illegalAddress: 700,
  launchOutOfResources: 701,
  launchTimeout: 702,
  contextIsDestroyed: 709,
  assert: 710,
  hardwareStackError: 714,
  illegalInstruction: 715,
  misalignedAddress: 716,
  invalidAddressSpace: 717,
  invalidPc: 718,
  launchFailed: 719,
  contained: 721,
  systemNotReady: 802,
  systemDriverMismatch: 803,
  unknown: 999,
} as const;

/** After these, every call in the context fails: its memory is lost ("This leaves the process in an inconsistent state"). */
const losing: ReadonlySet<number> = new Set([
  cudaCode.deinitialized,
  cudaCode.invalidContext,
  cudaCode.eccUncorrectable,
  cudaCode.nvlinkUncorrectable,
  cudaCode.illegalAddress,
  cudaCode.launchTimeout,
  cudaCode.contextIsDestroyed,
  cudaCode.assert,
  cudaCode.hardwareStackError,
  cudaCode.illegalInstruction,
  cudaCode.misalignedAddress,
  cudaCode.invalidAddressSpace,
  cudaCode.invalidPc,
  cudaCode.launchFailed,
  cudaCode.contained,
  cudaCode.unknown,
]);

/** A call of the driver that failed. */
export class CudaFailure extends Error {
  readonly code: number;

  /** `name` and `meaning` of the code, as the driver has them. */
  constructor(call: string, code: number, name: string, meaning: string) {
    super(`${call} gave ${name} (${code}): ${meaning}`);
    this.code = code;
  }
  get losesContext(): boolean {
    return losing.has(this.code);
  }
}

/**
 * What is said of whatever a call of the driver threw, as an error of its meaning: DeviceLost, or ATPC-502 where there is no memory,
 * and else ATPC-505 for what the driver refuses.
 */
export function meaningOf(error: unknown): unknown {
  if (!(error instanceof CudaFailure)) return error;
  if (error.losesContext) return new DeviceLost(`The CUDA context was lost: ${error.message}.`);
  if (error.code === cudaCode.outOfMemory)
    return new AtpcError('ATPC-502', `The CUDA driver has no memory for the call: ${error.message}.`, { hint: memoryHint });
  return new AtpcError('ATPC-505', `The CUDA driver refuses the call: ${error.message}.`);
}
export const memoryHint = 'Use shorter inputs or a smaller batch, dispose of models and sessions, or use another backend.';
