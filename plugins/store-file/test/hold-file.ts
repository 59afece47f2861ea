/** Keeps the file busy, as a process does that is stopped in the middle of a write. */
import { DatabaseSync } from 'node:sqlite'

const [directory = ''] = process.argv.slice(2)
const database = new DatabaseSync(`${directory}/micro.store.db`)
process.on('message', () => {
  database.exec('ROLLBACK')
  database.close()
  process.disconnect()
})
database.exec('BEGIN IMMEDIATE')
process.send?.('held')
