import { messageTests } from '@micro/kafka-suite'
import { subject } from './subject.ts'

await messageTests(subject)
