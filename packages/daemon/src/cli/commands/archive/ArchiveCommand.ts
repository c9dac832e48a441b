/**
 * `icecore archive`: record stores and archives of them.
 */
import { Command } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { archiveDiffCommand } from "./ArchiveDiffCommand.ts"
import { archiveExportCommand } from "./ArchiveExportCommand.ts"
import { archiveGetCommand } from "./ArchiveGetCommand.ts"
import { archiveImportCommand } from "./ArchiveImportCommand.ts"
import { archiveInfoCommand } from "./ArchiveInfoCommand.ts"
import { archiveListCommand } from "./ArchiveListCommand.ts"
import { archiveVerifyCommand } from "./ArchiveVerifyCommand.ts"

export const archiveCommand: CliCommand<"archive"> = Command.make("archive").pipe(
  Command.withDescription("Work with record stores and archives of them"),
  Command.withSubcommands([
    archiveInfoCommand,
    archiveListCommand,
    archiveGetCommand,
    archiveExportCommand,
    archiveImportCommand,
    archiveVerifyCommand,
    archiveDiffCommand
  ])
)
