/** Steps that have been taken, each with how to take it back. */
export interface UndoList {
  /** Takes a step; once it has succeeded, `undo` is remembered. */
  step(run: () => Promise<unknown> | unknown, undo: () => Promise<unknown> | unknown): Promise<void>
  /** Takes all back, the last first, to the end. Gives every error on the way. */
  rollBack(): Promise<unknown[]>
}

export function createUndoList(): UndoList {
  const undos: (() => Promise<unknown> | unknown)[] = []
  return {
    async step(run, undo) {
      await run()
      undos.push(undo)
    },
    async rollBack() {
      const errors: unknown[] = []
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo()
        } catch (error) {
          errors.push(error)
        }
      }
      return errors
    },
  }
}
