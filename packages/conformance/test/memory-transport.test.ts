import { transportConformance } from '@micro/conformance/transport'
import { memoryTransports } from './support/memory-transports.ts'
import { wiredTransports } from './support/wired-transports.ts'

transportConformance(memoryTransports('reference'))
transportConformance(memoryTransports('codec'))
transportConformance(wiredTransports())
