/** A Chromium of this machine, driven by playwright: for pages that need a device, the mouse, the keyboard or a profile. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { findChromium, insecureHost } from './chromium.ts';

/** Where the browser lies, as playwright has to know it; undefined where there is none. */
export function chromiumPath(): string | undefined {
  const command = findChromium();
  if (command === undefined) return undefined;
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, command)).find((file) => existsSync(file)) ?? command;
}

export const chromiumFlags: readonly string[] = [
  `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`,
  // Chromium's sandbox does not start for root, as which tests run in containers; the pages are our own.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];
/** WebGPU on the driver in software that Chromium brings; test/webgpu-adapter.ts says what the last flag is for. */
const webgpuFlags: readonly string[] = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
];

/** A headless Chromium, with a WebGPU adapter or, as Chromium is on a machine without a graphics driver, with none. */
export function launchChromium(executablePath: string, { webgpu }: { readonly webgpu: boolean }): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...chromiumFlags, ...(webgpu ? webgpuFlags : ['--disable-gpu'])] });
}

/** Everything that goes wrong in a page from now on: exceptions, and errors and warnings on its console. */
export function faultsOf(page: Page): readonly string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => void faults.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  return faults;
}
