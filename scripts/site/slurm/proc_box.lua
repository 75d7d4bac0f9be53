-- proc_box in job_submit.lua: batch scripts of the jobs that the policy selects get proc_box-shebang as their interpreter.
-- An error in this file or in the policy refuses a job only if the policy says `failure = "closed"`. docs/slurm.md

local policy_file = "@ETC@/proc_box_policy.lua"
-- Linux reads this many bytes of a script's first line.
local first_line_max = 255

local M = {}

local function interpreter_line(script, shebang)
  local line, rest = script:match("^#![ \t]*([^\n]*)(.*)$")
  if line == nil or line == "" or line:find("proc_box", 1, true) then
    return nil
  end
  local boxed = "#!" .. shebang .. " " .. line
  if #boxed > first_line_max then
    error(string.format("the first line of the script would be longer than %d characters", first_line_max), 0)
  end
  return boxed .. rest
end

-- The partition that the user has chosen, otherwise the default.
local function partition_of(job_desc, partitions)
  if job_desc.partition ~= nil then
    return job_desc.partition
  end
  for name, partition in pairs(partitions or {}) do
    if partition.flag_default == 1 then
      return name
    end
  end
  return nil
end

local function box(job_desc, partitions, policy)
  if job_desc.script == nil then
    return false -- srun and salloc: their steps do not pass through job_submit
  end
  local options = policy.box(job_desc, partition_of(job_desc, partitions))
  if not options then
    return false
  end
  if type(options) ~= "table" then
    error(string.format("%s: box returns a %s, not a table of options or nil", policy_file, type(options)), 0)
  end
  local script = interpreter_line(job_desc.script, policy.shebang)
  if script == nil then
    return false
  end
  -- Users may be stricter than the site, but not looser.
  local fixed = { failure = policy.failure == "closed" }
  for _, name in ipairs(policy.fixed or {}) do
    fixed[name] = true
  end
  -- The site boxes this job, not its user, so nothing of ours stands in its output but why the box ended it.
  local environment = { failure = policy.failure or "open", quiet = "true" }
  for name, value in pairs(options) do
    environment[name] = tostring(value)
  end
  for name, value in pairs(environment) do
    local variable = "PBOX_" .. name:upper():gsub("-", "_")
    -- The user's environment wins, except over options that the site has locked.
    if fixed[name] or job_desc.environment[variable] == nil then
      job_desc.environment[variable] = value
    end
  end
  job_desc.script = script
  return true
end

local function load_policy()
  local policy = dofile(policy_file)
  if type(policy) ~= "table" or type(policy.box) ~= "function" then
    error(policy_file .. ": expected a table with a function box", 0)
  end
  return policy
end

-- Call this from slurm_job_submit with its job_desc and part_list, and return its result from there.
function M.submit(job_desc, partitions)
  local loaded, policy = pcall(load_policy)
  local done, why = loaded, policy
  if loaded then
    done, why = pcall(box, job_desc, partitions, policy)
  end
  if done then
    return slurm.SUCCESS
  end
  slurm.log_error("proc_box: %s", tostring(why))
  if loaded and policy.failure == "closed" then
    slurm.log_user("proc_box: this job cannot be boxed, and is refused (failure = closed): " .. tostring(why))
    return slurm.ERROR
  end
  slurm.log_user("proc_box: this job runs without a box: " .. tostring(why))
  return slurm.SUCCESS
end

return M
