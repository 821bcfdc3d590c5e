;; unsupported: task.return, and what else asynchronous functions are made with
;; refused: async functions
(component (core func (canon task.return)))
