/** What a measurement ran on. */
import os from 'node:os';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGibibytes: number;
  readonly node: string;
}
export function thisMachine(): Machine {
  const cores = os.cpus();
  return {
    processor: cores[0]?.model.trim() ?? 'unknown processor',
    cores: cores.length,
    memoryGibibytes: Math.round(os.totalmem() / 2 ** 30),
    node: process.version,
  };
}
export function machineWords({ processor, cores, memoryGibibytes, node }: Machine): string {
  return `${processor}, ${cores} cores, ${memoryGibibytes} GiB, Node ${node}`;
}
export const describeMachine = (machine: Machine): string => `${machineWords(machine)}; every run uses one core`;
