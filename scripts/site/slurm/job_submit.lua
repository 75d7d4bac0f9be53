-- For proc_box only. A site with its own job_submit.lua adds the two lines with "proc_box" to that file instead.
local proc_box = dofile("@ETC@/proc_box.lua")

function slurm_job_submit(job_desc, part_list, _submit_uid)
  return proc_box.submit(job_desc, part_list)
end

function slurm_job_modify(_job_desc, _job_rec, _part_list, _modify_uid)
  return slurm.SUCCESS
end

return slurm.SUCCESS
