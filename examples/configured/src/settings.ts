import { z } from 'zod'

/** All that the shop can be told, by file, environment or flag. */
export const settings = z.object({
  server: z
    .object({
      host: z.string().default('127.0.0.1').describe('Address to listen on.'),
      port: z.number().int().min(0).max(65_535).default(8080).describe('Port to listen on.'),
    })
    .prefault({}),
  running: z
    .object({
      logLevel: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
        .default('info')
        .describe('Lines below it are dropped.'),
      timeout: z.number().positive().default(5_000).describe('Milliseconds of calls to others.'),
      limits: z
        .object({
          concurrentCalls: z.number().int().min(1).default(1_000).describe('Calls at once.'),
        })
        .prefault({}),
    })
    .prefault({})
    .describe('What changes while the shop is open.'),
  greeting: z.string().default('Welcome').describe('What customers are told.'),
  vault: z
    .object({ key: z.string().describe('Opens the vault.') })
    .optional()
    .describe('Secret: give it by a file, SHOP_VAULT__KEY_FILE.'),
})
