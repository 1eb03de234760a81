import { modesOf } from './mode-backend.ts';
import { modeKernels } from './mode-kernels.ts';
import { principalRowKernels } from './principal-row-kernels.ts';
import { wasmAttention } from './wasm-attention.ts';
import { wasmBuilds } from './wasm-instance.ts';

const [plain] = wasmBuilds;
if (plain === undefined) throw new RangeError('There is no build for wasm.');
modeKernels(modesOf('wasm', wasmAttention, plain));
principalRowKernels(plain);
