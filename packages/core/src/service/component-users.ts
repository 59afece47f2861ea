import type { Component } from '../component/component.ts'

const users = new WeakMap<Component, number>()

/** Counts a service as a user of `component`, which several may share. */
export function useComponent(component: Component): void {
  users.set(component, (users.get(component) ?? 0) + 1)
}

/** Closes the component if this was its last user. */
export async function releaseComponent(component: Component): Promise<void> {
  const left = (users.get(component) ?? 1) - 1
  users.set(component, left)
  if (left === 0) await component.close()
}
