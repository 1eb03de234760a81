import { useDevice } from '../device-target.ts';
import type { UseTarget } from '../targets.ts';

/** What the adapter has is for the worker to find out. */
export const useWebgpu: UseTarget<'webgpu'> = useDevice;
