-- Which batch jobs get a box, and with which options. Read for each job, so a change takes effect at once. docs/slurm.md
return {
  shebang = "@LIB@/proc_box-shebang",

  -- If the node cannot make a box: "open" runs the job without one, "closed" does not start it.
  failure = "open",

  -- Names of options that users cannot change in their environment, for example { "timeout", "memory" }.
  fixed = {},

  -- Returns the options of the box, as `proc_box --help` lists them, or nil to leave the job alone. Boxes are quiet unless the
  -- options say `quiet = false`. `partition` is the job's
  -- partition, even if that is the default. Useful fields of `job` are user_id, account, qos, comment, features
  -- (--constraint) and name. A field is nil if the user has not set it.
  box = function(job, partition)
    if job.comment ~= nil and job.comment:find("nobox", 1, true) then
      return nil
    end
    -- if partition == "debug" then return nil end
    -- if job.user_id == 1000 then return { timeout = "scheduler", memory = "4G" } end
    return {}
  end,
}
