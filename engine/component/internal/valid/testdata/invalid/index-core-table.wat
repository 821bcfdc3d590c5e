;; core table 0 is not there
(component (core instance (export "t" (table 0))))
