/**
 * The `icecore` command.
 */
import { Command } from "effect/cli"
import type { CliCommand } from "./CliServices.ts"
import { auditCommand } from "./commands/AuditCommand.ts"
import { archiveCommand } from "./commands/archive/ArchiveCommand.ts"
import { backupCommand } from "./commands/BackupCommand.ts"
import { compactCommand } from "./commands/CompactCommand.ts"
import { configCommand } from "./commands/ConfigCommand.ts"
import { diffCommand } from "./commands/DiffCommand.ts"
import { getCommand } from "./commands/GetCommand.ts"
import { ingestCommand } from "./commands/IngestCommand.ts"
import { inspectCommand } from "./commands/InspectCommand.ts"
import { mergeCommand } from "./commands/MergeCommand.ts"
import { pruneCommand } from "./commands/PruneCommand.ts"
import { repairCommand } from "./commands/RepairCommand.ts"
import { runCommand } from "./commands/RunCommand.ts"
import { statusCommand } from "./commands/StatusCommand.ts"
import { verifyCommand } from "./commands/VerifyCommand.ts"

export const icecore: CliCommand<"icecore"> = Command.make("icecore").pipe(
  Command.withDescription("Keep the full history of a sequenced log and answer for any part of it"),
  Command.withSubcommands([
    runCommand,
    ingestCommand,
    getCommand,
    statusCommand,
    inspectCommand,
    verifyCommand,
    auditCommand,
    repairCommand,
    backupCommand,
    pruneCommand,
    archiveCommand,
    compactCommand,
    mergeCommand,
    diffCommand,
    configCommand
  ])
)
