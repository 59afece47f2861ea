import { loggerConformance } from '@micro/conformance/logger'
import { consoleLoggers, memoryLoggers } from './support/loggers.ts'

loggerConformance(memoryLoggers)
loggerConformance(consoleLoggers)
