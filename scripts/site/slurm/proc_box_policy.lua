-- Which batch jobs get a box, and how: read for each job, so that a change counts at once. docs/slurm.md
return {
  shebang = "@LIB@/proc_box-shebang",

  -- Where no box can be made on the node: "open" runs the job without one, "closed" does not start it.
  failure = "open",

  -- Names of options that count as `box` returns them, whatever users have in their environment: { "timeout", "memory" }.
  fixed = {},

  -- Options of the box, as `proc_box --help` lists them; nil leaves the job alone. `partition` is the job's, also where
  -- the user has left it to the default; fields of `job` that sites decide by: user_id, account, qos, comment,
  -- features (--constraint), name. They are nil where the user has not said them.
  box = function(job, partition)
    if job.comment ~= nil and job.comment:find("nobox", 1, true) then
      return nil
    end
    -- if partition == "debug" then return nil end
    -- if job.user_id == 1000 then return { timeout = "scheduler", memory = "4G" } end
    return {}
  end,
}
