-- Families of domains: those with the same last two labels. Who owns a domain can make as many below it as they like, so
-- where a share is a stranger's, it is that of a family. (The engine does the same: crate/core/src/domains/untried.rs.)
--
-- This file is MIT/X11 licensed.

-- The family that a domain belongs to.
local function of(domain)
	return domain:match("([^.]*%.[^.]*)$") or domain;
end

return { of = of };
