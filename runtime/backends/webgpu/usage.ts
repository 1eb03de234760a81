/** GPUBufferUsage and GPUMapMode as numbers, since Node has no global objects for them (WebGPU, sections 5.1 and 5.3). */
export const usage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyDestination: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
export const storageUsage = usage.storage | usage.copySource | usage.copyDestination;
export const mapModeRead = 1;
