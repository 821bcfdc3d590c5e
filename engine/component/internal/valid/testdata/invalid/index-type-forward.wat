;; type 1 is not there: there are 0
(component (type (list 1)) (type u8))
