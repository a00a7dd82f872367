# commandArgs of R.
words <- commandArgs(trailingOnly = TRUE)
value <- function(name) sub(paste0("--", name, "="), "", grep(paste0("^--", name, "="), words, value = TRUE), fixed = TRUE)

dir.create(value("out_dir"))
lines <- c(paste("got_lr", as.numeric(value("lr"))), paste("got_fast", "--fast" %in% words), "finished 1")
writeLines(lines, file.path(value("out_dir"), "summary.txt"))
