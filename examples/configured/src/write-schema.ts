/** Writes the JSON Schema of the settings, for editors and for those who deploy the shop. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonSchemaOf } from '@micro/core/schema'
import { settings } from './settings.ts'

const path = join(import.meta.dirname, '../shop.schema.json')
await writeFile(path, `${JSON.stringify(jsonSchemaOf(settings), null, 2)}\n`)
